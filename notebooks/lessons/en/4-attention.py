# %% [markdown]
# # Lesson 4: Layer norm and self-attention
#
# *Slides 19 to 23 · about 25 minutes · [日本語](../ja/4-attention.ipynb)*
#
# Now the tokens begin to speak to each other. In every layer each token asks all tokens a question, itself included, and takes a mixture of their answers. You will follow one head of one layer from its input to its output: five small steps of one to three lines.

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("attention", language="en")
block = trace.blocks[3]  # layer 4: Python counts from 0
head = 2
z = block.z_in
print("z", z.shape)

# %% [markdown]
# ## A question before you start

# %%
predict("attention.root")

# %% [markdown]
# ## 1. Layer normalization
#
# Every token is normalised by itself: the mean of its D numbers is subtracted, and they are divided by their spread. Then each dimension is multiplied by a learned γ, and a learned β is added (slide 21):
#
# $$\mathrm{LN}(x) = \gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta$$
#
# The slide leaves out ε, a tiny number that keeps the root away from 0; here it is 10⁻⁶.
#
# **Your turn.** Normalise all tokens of `z`.

# %%
gamma = block.arrays.norm1.weight
beta = block.arrays.norm1.bias
print("gamma", gamma.shape, " beta", beta.shape)

# %% tags=["answer"]
norm = ...
check("attention.norm", norm)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# mean = z.mean(axis=-1, keepdims=True)
# variance = z.var(axis=-1, keepdims=True)
# norm = (z - mean) / np.sqrt(variance + 1e-6) * gamma + beta
# ```
#
# </details>

# %% [markdown]
# ## 2. Query, key and value
#
# One matrix 𝑼 with 3D columns gives every token three kinds of vectors (slide 22): what it asks (**query**), what it can be found by (**key**), and what it has to give (**value**). In memory the columns are: the queries of all heads, then all keys, then all values. Each head has Dₕ = D / h of each.

# %%
U = block.arrays.qkv.weight
bias = block.arrays.qkv.bias
h = trace.spec.heads
D = trace.spec.dim
D_h = D // h
normed = block.norm1  # the model's own LN(z)
print("U", U.shape, " h =", h, " D_h =", D_h)

# %% [markdown]
# **Your turn.** The queries of head 2 (counted from 0) for all tokens, shape (T, Dₕ).

# %% tags=["answer"]
query = ...
check("attention.query", query)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# qkv = normed @ U + bias
# query = qkv[:, 2 * D_h : 3 * D_h]
# ```
#
# </details>

# %% [markdown]
# ## 3. Scores
#
# Every query meets every key: their scalar product is large where they fit. The sum of Dₕ products varies more the more terms it has, so it is divided by √Dₕ (slide 23).
#
# **Your turn.** The scores 𝒒𝒌ᵀ/√Dₕ of this head, shape (T, T). Row: who looks (query); column: who is looked at (key).

# %%
q, k, v = block.q[head], block.k[head], block.v[head]
print(q.shape, k.shape, v.shape)

# %% tags=["answer"]
scores = ...
check("attention.scores", scores)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# scores = q @ k.T / np.sqrt(D_h)
# ```
#
# </details>

# %% [markdown]
# ## 4. Softmax
#
# Scores become shares: take exponentials, and divide every row by its sum. All weights are positive, and each row sums to 1.
#
# **Your turn.** The attention matrix 𝑨 of this head. (`block.scores[head]` has the scores, if you need them.)

# %% tags=["answer"]
A = ...
check("attention.weights", A)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# exponentials = np.exp(block.scores[head])
# A = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# ## 5. Mixing the values
#
# **Your turn.** What each token takes home: SA(𝒛) = 𝑨𝒗, shape (T, Dₕ). (`block.attention[head]` is 𝑨.)

# %% tags=["answer"]
output = ...
check("attention.output", output)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# output = block.attention[head] @ v
# ```
#
# </details>

# %% [markdown]
# ## 6. See it
#
# The stage below opens the same layer and head, step by step. (It counts both from 1, so it says layer 4 and head 3.) Pick another token on the photo, walk through the steps, and click on any number to see how it came about.

# %%
stage("encoder", layer=3, head=2, token=0)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** In this head, which token does CLS (token 0) look at the most? Give the number of the token.

# %% tags=["answer"]
strongest = ...
check("attention.strongest", strongest)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# strongest = int(block.attention[head][0].argmax())
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Over how many tokens is the attention of CLS spread? A good measure is the exponential of the entropy, exp(−Σ p log p): it is 1 if one token has everything, and T if all have the same. Work it out for row 0.

# %% tags=["answer"]
spread = ...
check("attention.spread", spread)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# p = block.attention[head][0]
# spread = np.exp(-(p * np.log(p)).sum())
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - Layer norm works on every token by itself, over its D numbers.
# - 𝑨 = softmax(𝒒𝒌ᵀ/√Dₕ): row by row, who looks at whom, and how much.
# - 𝑨𝒗 mixes values. Everything a token learns of the others passes through here.
#
# **Next:** [Lesson 5: Heads and MSA](5-heads.ipynb)
