# %% [markdown]
# # Lesson 6: MLP and residuals
#
# *Slides 19 and 25 · about 20 minutes · [日本語](../ja/6-mlp.ipynb)*
#
# After attention, every token has heard from the others. Now each thinks for itself: a small network with one hidden layer, the **MLP**. And neither attention nor MLP replaces a token: what they give is added to it. You will follow the second half of a layer, to its very end.

# %%
from math import erf as erf_of_one

import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

erf = np.vectorize(erf_of_one)  # for whole arrays
trace = begin("mlp", language="en")
block = trace.blocks[1]  # layer 2: Python counts from 0
z = block.z_in
print("z", z.shape)

# %% [markdown]
# ## A question before you start

# %%
predict("mlp.mixing")

# %% [markdown]
# ## 1. The first residual connection
#
# Slide 19: the output of MSA is added to the layer's input, 𝒛′ = MSA(LN(𝒛)) + 𝒛.
#
# **Your turn.** `block.msa` is MSA(LN(𝒛)). Work out 𝒛′.

# %% tags=["answer"]
z_mid = ...
check("mlp.middle", z_mid)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# z_mid = z + block.msa
# ```
#
# </details>

# %% [markdown]
# ## 2. Into the hidden layer
#
# 𝒛′ is normalised once more, with its own γ and β: `block.norm2`. Then a matrix makes it wider, from D to four times D.

# %%
norm2 = block.norm2
W1, b1 = block.arrays.mlp.fc1.weight, block.arrays.mlp.fc1.bias
W2, b2 = block.arrays.mlp.fc2.weight, block.arrays.mlp.fc2.bias
print("W1", W1.shape, " W2", W2.shape)

# %% [markdown]
# **Your turn.** The hidden layer before its activation.

# %% tags=["answer"]
before = ...
check("mlp.before", before)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# before = norm2 @ W1 + b1
# ```
#
# </details>

# %% [markdown]
# ## 3. GELU
#
# Two matrices in a row would only be one matrix. In between, a curve bends every number (slide 25):
#
# $$\mathrm{GELU}(x) = x\,\Phi(x) = \frac{x}{2}\left(1 + \mathrm{erf}\frac{x}{\sqrt{2}}\right)$$
#
# Large numbers pass, negative ones nearly vanish.
#
# **Your turn.** `block.mlp_pre` holds the numbers before GELU. Bend them; `erf` is ready for arrays.

# %% tags=["answer"]
hidden = ...
check("mlp.hidden", hidden)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# x = block.mlp_pre
# hidden = x / 2 * (1 + erf(x / np.sqrt(2)))
# ```
#
# </details>

# %% [markdown]
# ## 4. Back to D, and added again
#
# The second matrix leads back to D numbers, and they are added to 𝒛′: 𝒛ₗ = MLP(LN(𝒛′)) + 𝒛′. (The drawing on slide 25 has 𝒛′ on both sides of an equation; what MSA is added to is 𝒛ₗ₋₁, as on slide 19.)
#
# **Your turn.** The layer's output. `block.mlp_hidden` is the hidden layer after GELU, `block.z_mid` is 𝒛′.

# %% tags=["answer"]
z_out = ...
check("mlp.output", z_out)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# mlp = block.mlp_hidden @ W2 + b2
# z_out = block.z_mid + mlp
# ```
#
# </details>

# %% [markdown]
# That is all a layer does. The next one does the same with other weights:

# %%
print("layers:", len(trace.blocks))
print("output of this layer is input of the next:", np.array_equal(block.z_out, trace.blocks[2].z_in))

# %% [markdown]
# ## 5. See it
#
# Open the last steps of the layer below: the second layer norm, the MLP with its GELU curve, the second sum. At the bottom, a chart shows how long the vectors are that attention and MLP add in each layer.

# %%
stage("encoder", layer=1, token=0)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** How many learned numbers has the MLP of one layer, biases included?

# %% tags=["answer"]
parameters = ...
check("mlp.parameters", parameters)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# parameters = W1.size + b1.size + W2.size + b2.size
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** In which layer does the MLP write the most into CLS? Work out how long the vector is that it adds to CLS in each layer: L numbers, in the order of `trace.blocks`.

# %% tags=["answer"]
lengths = ...
check("mlp.lengths", lengths)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# lengths = np.array([np.linalg.norm(each.mlp[0]) for each in trace.blocks])
# lengths.argmax()  # the layer, counted from 0
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - A layer is two sums: 𝒛′ = 𝒛 + MSA(LN(𝒛)), then 𝒛′ + MLP(LN(𝒛′)).
# - Attention mixes tokens, the MLP works on each alone.
# - Because everything is added, a token is carried through the network like a stream that each layer writes into.
#
# **Next:** [Lesson 7: Classification and fine-tuning](7-classification.ipynb)
