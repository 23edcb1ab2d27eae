# %% [markdown]
# # Lesson 2: Embedding
#
# *Slides 7 and 9 · about 15 minutes · [日本語](../ja/2-embedding.ipynb)*
#
# In lesson 1 the photo became a list of vectors 𝒙ₚ. Their numbers are colours, and colours are not yet what a network wants to think in. So every vector is multiplied by one learned matrix 𝑬. What comes out, D numbers for each patch, is called its **embedding**.

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("embedding", language="en")
trace

# %% [markdown]
# ## A question before you start

# %%
predict("embedding.parameters")

# %% [markdown]
# ## 1. The patches, the matrix and the bias
#
# Slide 9 draws a vector of P²C numbers, a matrix with P²C rows and D columns, and the resulting vector of D numbers. Most models add a bias 𝒃 as well, which the slide leaves out:
#
# $$\boldsymbol{x}_p \boldsymbol{E} + \boldsymbol{b}$$

# %%
x = trace.patches
E = trace.arrays.embed_weight
b = trace.arrays.embed_bias
print("x_p", x.shape)
print("E  ", E.shape)
print("b  ", b.shape)

# %% [markdown]
# In this model P²C and D are equal, both 192. That is chance: 8 · 8 · 3 happens to be the embedding size that was chosen. So take care which axis is which; NumPy will not complain if you exchange them, but the check will.

# %% [markdown]
# ## 2. One single number
#
# A matrix product is many sums of products. Let us work out one of them: dimension 5 of the embedding of patch 21. It is the patch's vector times **column** 5 of 𝑬, number by number, all added up, plus the bias of that dimension.
#
# **Your turn.**

# %% tags=["answer"]
number = ...
check("embedding.number", number)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# number = (x[21] * E[:, 5]).sum() + b[5]
# ```
#
# </details>

# %% [markdown]
# ## 3. One patch, all dimensions
#
# **Your turn.** The whole embedding of patch 21, a vector of D numbers. `@` is NumPy's matrix product.

# %% tags=["answer"]
one = ...
check("embedding.one", one)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# one = x[21] @ E + b
# ```
#
# </details>

# %% [markdown]
# ## 4. All patches
#
# Every patch meets the same 𝑬: that is why one product serves them all.
#
# **Your turn.** The embeddings of all patches, shape (N, D).

# %% tags=["answer"]
embedded = ...
check("embedding.all", embedded)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# embedded = x @ E + b
# ```
#
# </details>

# %% [markdown]
# ## 5. What a column of 𝑬 looks for
#
# A column of 𝑬 has as many numbers as a patch has pixel values. So it can be drawn as a small picture: a **filter**. A patch that resembles it gets a large number in that dimension. This is why the step can also be written as a convolution with stride P: it is the same arithmetic.

# %%
filter_5 = E[:, 5].reshape(8, 8, 3)
print(filter_5.shape, "min", filter_5.min().round(3), "max", filter_5.max().round(3))

# %% [markdown]
# The stage below shows the three matrices of slide 9, the sum behind any number you choose, and the filters. Choose dimension 5 and patch 21, and compare with your own number.

# %%
stage("embedding", token=22, dimension=5)  # token 22 is patch 21: token 0 is CLS

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** A patch has exactly the mean colour everywhere, so after normalisation it is all zeros. What is its embedding? (No multiplication needed.)

# %% tags=["answer"]
blank = ...
check("embedding.blank", blank)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# blank = np.zeros(192) @ E + b
# blank = b  # the same: zero times anything is zero
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** With patches of 16 × 16 pixels, which shape does 𝑬 have? D stays as it is.

# %% tags=["answer"]
shape_16 = ...
check("embedding.sixteen", shape_16)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# shape_16 = (16 * 16 * 3, 192)
# shape_16 = rerun(patch_size=16).arrays.embed_weight.shape  # the model agrees
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - Every patch becomes an embedding of D numbers: 𝒙ₚ𝑬 + 𝒃, with the same 𝑬 and 𝒃 for all.
# - 𝑬 is a weight of the network, found by training. Its columns are filters.
# - Slide 7 says that 𝒙ₚ𝑬 has P²C numbers; it has D, as drawn on slide 9.
#
# **Next:** [Lesson 3: CLS and position](3-position.ipynb)
