# %% [markdown]
# # Lesson 7: Classification and fine-tuning
#
# *Slide 27 · about 25 minutes · [日本語](../ja/7-classification.ipynb)*
#
# At the end of the encoder one vector decides: CLS. You will take it from there to the probabilities of the classes. Then you will do what slide 27 calls fine-tuning, as small as it can be: take the head off, put on a new one that is all zeros, and train it in a few lines of NumPy.

# %%
import numpy as np

from explorer.lessons import begin, check, class_names, predict, rerun, stage

trace = begin("classification", language="en")
names = class_names()
z_L = trace.z[-1]
print("z_L", z_L.shape, " K =", len(names))

# %% [markdown]
# ## A question before you start

# %%
predict("classification.patches")

# %% [markdown]
# ## 1. CLS, normalised
#
# 𝒚 = LN($\boldsymbol{z}_L^0$): the first row of $\boldsymbol{z}_L$, through one last layer norm with γ and β of its own (ε = 10⁻⁶ again).
#
# **Your turn.** Work out 𝒚, a vector of D numbers.

# %%
gamma = trace.arrays.norm.weight
beta = trace.arrays.norm.bias
print("gamma", gamma.shape, " beta", beta.shape)

# %% tags=["answer"]
y = ...
check("classification.y", y)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# cls = z_L[0]
# y = (cls - cls.mean()) / np.sqrt(cls.var() + 1e-6) * gamma + beta
# ```
#
# </details>

# %% [markdown]
# ## 2. Logits
#
# The head is one linear layer, D × K: every class has a column, and its **logit** is 𝒚 times that column, plus a bias. (Slide 27 has an MLP here; the paper uses one in pre-training only.)
#
# **Your turn.** The logits of all classes. `trace.y[0]` is 𝒚.

# %%
W = trace.arrays.head_weight
bias = trace.arrays.head_bias
print("W", W.shape, " bias", bias.shape)

# %% tags=["answer"]
logits = ...
check("classification.logits", logits)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# logits = trace.y[0] @ W + bias
# ```
#
# </details>

# %% [markdown]
# ## 3. Probabilities
#
# **Your turn.** Softmax of the logits, as in lesson 4. (`trace.logits` has them.)

# %% tags=["answer"]
probs = ...
check("classification.probs", probs)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# exponentials = np.exp(trace.logits - trace.logits.max())
# probs = exponentials / exponentials.sum()
# ```
#
# </details>

# %%
for k in np.argsort(-trace.probs)[:5]:
    print(f"{trace.probs[k]:6.1%}  {names[k]}")

# %% [markdown]
# ## 4. See it
#
# Choose a class below, and see how its logit comes about. Scroll through all classes that the model knows: everything else it can only call by one of these names.

# %%
stage("classification")

# %% [markdown]
# ## 5. A new head
#
# Two classes of our own, from six photos: what is alive (a cat, a goldfish, a raccoon, a moose), and what is not (a cup of espresso, a rocket). The encoder stays as it is; we only need its vectors 𝒚.

# %%
photos = ["chelsea", "goldfish", "raccoon", "moose", "coffee", "rocket"]
X = np.stack([rerun(sample=photo).y[0] for photo in photos])  # one row for each photo
Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]])  # targets: alive, not alive
print("X", X.shape, " Y", Y.shape)

# %% [markdown]
# Slide 27 initialises the new layer with **zeros**.
#
# **Your turn.** With a new matrix of zeros (leave `W` as it is) and no bias yet, what probabilities P does the head give to the six photos? Shape (6, 2).

# %% tags=["answer"]
P = ...
check("classification.start", P)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# new_logits = X @ np.zeros((192, 2))
# exponentials = np.exp(new_logits)
# P = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# Training goes downhill on the cross-entropy. The cross-entropy of a photo is −log of the probability that its right class gets. Its slope with respect to the new matrix is simple: 𝑿ᵀ(𝑷 − 𝒀)/n, for n photos.
#
# **Your turn.** The slope at the start, shape (D, 2).

# %% tags=["answer"]
slope = ...
check("classification.gradient", slope)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# start = np.full((6, 2), 0.5)
# slope = X.T @ (start - Y) / 6
# ```
#
# </details>

# %% [markdown]
# Now the whole training: 50 small steps down that slope, and down that of the bias. (At step 0 all probabilities are equal; `argmax` then takes the first class.)

# %%
W_new, b_new = np.zeros((192, 2)), np.zeros(2)
for step in range(51):
    new_logits = X @ W_new + b_new
    shares = np.exp(new_logits - new_logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    if step % 10 == 0:
        loss = -np.log((shares * Y).sum(axis=1)).mean()
        print(f"step {step:2}  loss {loss:.4f}  right {(shares.argmax(1) == Y.argmax(1)).sum()} of 6")
    if step < 50:
        W_new -= 0.02 * X.T @ (shares - Y) / 6
        b_new -= 0.02 * (shares - Y).mean(axis=0)

# %% [markdown]
# It learned its six photos. Whether it can tell others, six photos cannot say: try the experiment "A new head" of the page, `stage("experiments")`, with pictures of your own. It leaves each picture out once and asks about it.

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** How many numbers were trained for this new head, its bias included?

# %% tags=["answer"]
parameters = ...
check("classification.parameters", parameters)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# parameters = W_new.size + b_new.size
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Back to the espresso and the model's own head. The logit of the winning class is a sum over D dimensions, 𝒚 times its column of W. Work out its D terms: what does each dimension add?

# %% tags=["answer"]
terms = ...
check("classification.terms", terms)

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# top = int(trace.logits.argmax())
# terms = trace.y[0] * W[:, top]
# terms.argmax()  # the dimension that adds the most
# ```
#
# </details>

# %% [markdown]
# ## What you have seen
#
# - Only CLS is read: layer norm, one matrix, softmax.
# - Fine-tuning takes the head off and puts on a new one that starts at zero, so at first all classes are equally likely.
# - From the photo's pixels to this line, you have worked out every step of a Vision Transformer.
#
# **Start again with** [Lesson 1](1-patches.ipynb), or open [the whole explorer](../../explorer.ipynb) and try your own photo.
