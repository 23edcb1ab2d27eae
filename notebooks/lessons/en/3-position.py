# %% [markdown]
# # Lesson 3: CLS and position
#
# *Slides 10 to 17 · about 25 minutes · [日本語](../ja/3-position.ipynb)*
#
# The embeddings know what their patches look like, but not where they lie. And none of them speaks for the whole photo. Two things are added before the encoder: one more token, **CLS**, and to every token a vector that says its place, the **position embedding**.

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("position", language="en")
trace

# %% [markdown]
# ## A question before you start

# %%
predict("position.shuffle")

# %% [markdown]
# ## 1. CLS comes first
#
# CLS is not made from pixels. It is one learned vector, the same for every photo (slide 10). What it will know of this photo, it has to gather from the other tokens.

# %%
cls = trace.prefix_tokens
embedded = trace.patch_embeddings
print("CLS       ", cls.shape)
print("embeddings", embedded.shape)

# %% [markdown]
# **Your turn.** Put CLS on top of the embeddings: N + 1 rows, nothing added yet.

# %% tags=["answer"]
tokens = ...
check("position.stack", tokens)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# tokens = np.concatenate([cls, embedded])
# ```
#
# </details>

# %% [markdown]
# ## 2. Adding the position
#
# 𝑬ₚₒₛ has a row for every token. It is simply added (slide 11), and the sum is 𝒛₀, the input of the Transformer encoder.

# %%
E_pos = trace.pos_embed
print("E_pos", E_pos.shape)
print("row of CLS: from", E_pos[0].min(), "to", E_pos[0].max())

# %% [markdown]
# In this model the row of CLS is all zeros: CLS lies nowhere in the photo, so it needs no place. (Many models learn a row for it all the same.)
#
# **Your turn.** Work out 𝒛₀.

# %% tags=["answer"]
z0 = ...
check("position.z0", z0)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# z0 = np.concatenate([cls, embedded]) + E_pos
# ```
#
# </details>

# %% [markdown]
# ## 3. Does it matter?
#
# Let us run the model four times: with and without 𝑬ₚₒₛ, each with the patches in order and shuffled (slide 12).

# %%
order = np.random.default_rng(0).permutation(trace.num_patches)


def largest_change(one, other):
    return float(np.abs(one.probs - other.probs).max())


print("with E_pos:   ", largest_change(trace, rerun(permutation=order)))
print("without E_pos:", largest_change(rerun(pos_embed=None), rerun(pos_embed=None, permutation=order)))

# %% [markdown]
# Without 𝑬ₚₒₛ only rounding is left. Attention and MLP treat all tokens alike; nothing in them knows which token came first.
#
# ## 4. Waves instead of learning
#
# 𝑬ₚₒₛ need not be learned. Slide 14 builds it from sines and cosines, for the patch number x = 0 … N − 1 and i = 0 … D/2 − 1:
#
# $$PE(x, 2i) = \sin\frac{x}{10000^{2i/D}} \qquad PE(x, 2i+1) = \cos\frac{x}{10000^{2i/D}}$$
#
# **Your turn.** Build this table, shape (N, D). Even columns are sines, odd ones cosines.

# %% tags=["answer"]
waves = ...
check("position.waves", waves)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# N, D = embedded.shape
# x = np.arange(N)[:, None]
# i = np.arange(D // 2)
# angle = x / 10000 ** (2 * i / D)
# waves = np.empty((N, D))
# waves[:, 0::2] = np.sin(angle)
# waves[:, 1::2] = np.cos(angle)
# ```
#
# </details>

# %% [markdown]
# ## 5. See it
#
# The stage below puts three tables side by side: the learned one of this model, and the 1-D and 2-D waves of slides 14 and 16. Move the dimension and watch the waves grow longer; pick a position and see which others are like it.

# %%
stage("position", token=28)  # token 28 is patch 27: token 0 is CLS

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Nobody told the model how patches are arranged; it had to learn it. Compare the row of patch 27 in 𝑬ₚₒₛ with all others by cosine similarity. Which **other** patch is it most like? Where does that patch lie on the photo?

# %% tags=["answer"]
nearest = ...
check("position.nearest", nearest)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# rows = E_pos[1:]  # without CLS
# unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
# similarity = unit @ unit[27]
# similarity[27] = -1
# nearest = int(similarity.argmax())
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Slide 14 calls 10000^(2i/D) the wavelength of column 2i. How many patches does it really take until the sine of column 64 starts again?

# %% tags=["answer"]
wavelength = ...
check("position.wavelength", wavelength)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# D = trace.spec.dim
# wavelength = 2 * np.pi * 10000 ** (64 / D)
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - CLS is a learned vector on top of the embeddings: T = N + 1 tokens.
# - 𝑬ₚₒₛ is added. Without it, a ViT sees a bag of patches.
# - It can be learned, or made of waves. Neighbours are alike in both.
#
# **Next:** [Lesson 4: Layer norm and self-attention](4-attention.ipynb)
