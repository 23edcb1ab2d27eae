# %% [markdown]
# # Lesson 5: Heads and MSA
#
# *Slides 20 and 22 to 24 · about 20 minutes · [日本語](../ja/5-heads.ipynb)*
#
# One head can ask one kind of question. So a layer has several: each works on its own small share of the dimensions, all at the same time, and at the end their answers are put together. That is **multi-head self-attention**, MSA.

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("heads", language="en")
block = trace.blocks[3]  # layer 4, as in lesson 4
T, D, h = trace.num_tokens, trace.spec.dim, trace.spec.heads
D_h = D // h
print("T =", T, " D =", D, " h =", h, " D_h =", D_h)

# %% [markdown]
# ## A question before you start

# %%
predict("heads.parameters")

# %% [markdown]
# ## 1. Splitting into heads
#
# The queries of all heads come out of one product, next to each other: a (T, D) array. Head 0 has the first Dₕ columns, head 1 the next, and so on.

# %%
qkv = block.norm1 @ block.arrays.qkv.weight + block.arrays.qkv.bias
queries = qkv[:, :D]
print("queries", queries.shape)

# %% [markdown]
# **Your turn.** Make it an array of shape (h, T, Dₕ), so that the first index says which head.

# %% tags=["answer"]
q = ...
check("heads.split", q)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# q = queries.reshape(T, h, D_h).transpose(1, 0, 2)
# ```
#
# </details>

# %% [markdown]
# ## 2. All heads at once
#
# **Your turn.** The attention of all heads, shape (h, T, T). `@` works on the last two axes, once for each head; `block.q` and `block.k` have the shape (h, T, Dₕ).

# %% tags=["answer"]
A = ...
check("heads.attention", A)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# scores = block.q @ block.k.transpose(0, 2, 1) / np.sqrt(D_h)
# exponentials = np.exp(scores)
# A = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# ## 3. Joining the heads
#
# Each head has given every token Dₕ numbers: `block.head_outputs`, shape (h, T, Dₕ). Slides 23 and 24 put them next to each other: [SA₁(𝒛), … , SAₕ(𝒛)], again D numbers for each token.
#
# **Your turn.** Join them, shape (T, D).

# %% tags=["answer"]
joined = ...
check("heads.joined", joined)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# joined = block.head_outputs.transpose(1, 0, 2).reshape(T, D)
# ```
#
# </details>

# %% [markdown]
# ## 4. 𝑼ₘₛₐ
#
# Until now the heads knew nothing of each other. One more learned matrix mixes them.

# %%
U = block.arrays.proj.weight
bias = block.arrays.proj.bias
joined_heads = block.head_outputs.transpose(1, 0, 2).reshape(T, D)
print("U_msa", U.shape, " bias", bias.shape)

# %% [markdown]
# **Your turn.** MSA(LN(𝒛)), shape (T, D).

# %% tags=["answer"]
msa = ...
check("heads.msa", msa)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# msa = joined_heads @ U + bias
# ```
#
# </details>

# %% [markdown]
# ## 5. See it
#
# Point at a patch of the photo: every head answers at once. Do you find a head that looks at neighbours, and one that looks far? Change the layer and look again.

# %%
stage("attention", layer=3, head=2)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** "Joined, then times 𝑼ₘₛₐ" can also be read as a sum: every head meets its own rows of 𝑼ₘₛₐ, and the results are added. Work out what head 2 alone adds to MSA, shape (T, D), without the bias. (In the joined vector it has the indices 64 to 95, counted from 0.)

# %% tags=["answer"]
share = ...
check("heads.share", share)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# rows = slice(2 * D_h, 3 * D_h)
# share = block.head_outputs[2] @ U[rows]
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** In the last layer, in which head is the weight that CLS gives to itself the largest? Give the number of the head, counted from 0.

# %% tags=["answer"]
own = ...
check("heads.self", own)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# own = int(trace.blocks[-1].attention[:, 0, 0].argmax())
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - h heads share the D dimensions: Dₕ = D / h for each. More heads, but not more numbers to learn.
# - Each head has its own attention matrix; only 𝑼ₘₛₐ mixes what they found.
# - Because it is a sum in the end, one can ask what each head adds.
#
# **Next:** [Lesson 6: MLP and residuals](6-mlp.ipynb)
