# %% [markdown]
# # Lesson 1: From a photo to patches
#
# *Slides 7 and 8 · about 20 minutes · [日本語](../ja/1-patches.ipynb)*
#
# A Vision Transformer does not read a photo pixel by pixel. It cuts it into small squares, the **patches**, and from then on works with a list of vectors, one for each patch. In this lesson you cut a photo yourself, and compare every number with what the model really received.
#
# How it works: run a cell with **Shift + Enter**. Where a cell has `...`, put your answer in its place and run it; the check says whether it is right, and if not, what is different. Stuck? Every answer has a solution to unfold below it.

# %%
import numpy as np
from PIL import Image

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("patches", language="en")
trace

# %% [markdown]
# `trace` holds everything that happened to one photo in one run of a small ViT: every array from slide 7 to slide 27. We need only the beginning of it today.
#
# ## A question before you start
#
# Guess first, then go on; you will be able to work it out at the end of this lesson.

# %%
predict("patches.weights")

# %% [markdown]
# ## 1. The photo as an array
#
# The model sees a square crop of the photo as a third-order tensor of shape (H, W, C): height, width, and the channels red, green, blue. Its patches are P × P pixels.

# %%
image = trace.image
P = trace.patch_size
print("image", image.shape, image.dtype, image.min(), image.max())
print("P =", P)
Image.fromarray(image).resize((256, 256))

# %% [markdown]
# **Your turn.** How many patches N does that make?

# %% tags=["answer"]
num_patches = ...
check("patches.count", num_patches)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# H, W, C = image.shape
# num_patches = H * W // P**2
# ```
#
# </details>

# %% [markdown]
# And how many numbers has one patch, once it is written as a vector?

# %% tags=["answer"]
vector_length = ...
check("patches.length", vector_length)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# vector_length = P * P * 3
# ```
#
# </details>

# %% [markdown]
# ## 2. Normalised pixels
#
# Pixels are whole numbers from 0 to 255. A network learns more easily from numbers around 0. So each pixel is divided by 255; then the mean of its channel is subtracted, and the result is divided by the channel's standard deviation. Both were measured on many photos, once and for all.

# %%
mean = np.array(trace.spec.mean)
std = np.array(trace.spec.std)
print("mean", mean)
print("std ", std)

# %% [markdown]
# **Your turn.** Normalise the whole image. The result has the same shape as `image`.

# %% tags=["answer"]
normalised = ...
check("patches.pixels", normalised)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# normalised = (image / 255 - mean) / std
# ```
#
# </details>

# %% [markdown]
# From here on we use `pixels`: the same normalised image, so that you can go on in any case.

# %%
pixels = (image / 255 - mean) / std

# %% [markdown]
# ## 3. One patch, by hand
#
# Patches are counted from 0, row by row, as one reads a page: 0 to 7 in the first row, 8 to 15 in the second. Patch 21 therefore lies in row 2, column 5 (also counted from 0).
#
# **Your turn.** Cut out patch 21 and write it as one vector: its pixels row by row, and for every pixel red, green, blue.

# %% tags=["answer"]
vector = ...
check("patches.vector", vector)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# row, col = 21 // 8, 21 % 8
# square = pixels[row * P : (row + 1) * P, col * P : (col + 1) * P]
# vector = square.reshape(-1)
# ```
#
# </details>

# %% [markdown]
# ## 4. All patches at once
#
# No loop is needed. `reshape` can cut an axis into two: the 64 rows of pixels become 8 rows of patches with 8 rows of pixels each. After `pixels.reshape(8, 8, 8, 8, 3)` the axes are
#
# | axis | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | counts | rows of patches | rows of pixels in a patch | columns of patches | columns of pixels in a patch | channels |
#
# **Your turn.** Bring the two axes of patches to the front, then make one row for each patch: shape (N, P²C). This array is 𝒙ₚ of slide 8.

# %% tags=["answer"]
all_patches = ...
check("patches.all", all_patches)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# cut = pixels.reshape(8, P, 8, P, 3)
# all_patches = cut.transpose(0, 2, 1, 3, 4).reshape(64, P * P * 3)
# ```
#
# </details>

# %% [markdown]
# ## 5. See it
#
# The stage below is the page's own, alone in this cell. Click on a patch of the photo, or move with the arrow keys, and compare: its pixels, its three channels, its vector. Can you find patch 21?

# %%
stage("patches")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** With patches of 16 × 16 pixels, what is the shape of 𝒙ₚ? Think first; then you may ask the model itself: `rerun(patch_size=16)` gives a new trace.

# %% tags=["answer"]
shape_16 = ...
check("patches.sixteen", shape_16)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# shape_16 = (64 * 64 // 16**2, 16 * 16 * 3)
# shape_16 = rerun(patch_size=16).patches.shape  # the model agrees
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Nothing was lost when the photo was cut. Put the patches `trace.patches` together again: a (H, W, C) array equal to `pixels`.

# %% tags=["answer"]
picture = ...
check("patches.picture", picture)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# squares = trace.patches.reshape(8, 8, P, P, 3)
# picture = squares.transpose(0, 2, 1, 3, 4).reshape(64, 64, 3)
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - A photo of (H, W, C) becomes N = HW / P² patches, each a vector of P²C numbers.
# - A ViT reads this list. That one patch was beside another is not written in it any more; lesson 3 brings it back.
# - The number of tokens decides what attention costs: T × T weights in every head.
#
# **Next:** [Lesson 2: Embedding](2-embedding.ipynb)
