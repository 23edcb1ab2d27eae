# %% [markdown]
# # レッスン7：識別とファインチューニング
#
# *スライド27 · 約25分 · [English](../en/7-classification.ipynb)*
#
# Encoderの出口で、識別を決めるのは1本のベクトル、CLSです。そこから各クラスの確率までをたどりましょう。その後、スライド27のファインチューニングを、いちばん小さな形で試します。識別ヘッドを取り外し、0で初期化した新しいヘッドを付けて、NumPyの数行で学習させます。

# %%
import numpy as np

from explorer.lessons import begin, check, class_names, predict, rerun, stage

trace = begin("classification", language="ja")
names = class_names()
z_L = trace.z[-1]
print("z_L", z_L.shape, " K =", len(names))

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("classification.patches")

# %% [markdown]
# ## 1. CLSを正規化する
#
# 𝒚 = LN($\boldsymbol{z}_L^0$)、つまり、$\boldsymbol{z}_L$の先頭の行を、専用のγとβを持つ最後のLayer normalizationに通します（ここでも ε = 10⁻⁶）。
#
# **やってみよう。** 𝒚（D個の数のベクトル）を求めてください。

# %%
gamma = trace.arrays.norm.weight
beta = trace.arrays.norm.bias
print("gamma", gamma.shape, " beta", beta.shape)

# %% tags=["answer"]
y = ...
check("classification.y", y)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# cls = z_L[0]
# y = (cls - cls.mean()) / np.sqrt(cls.var() + 1e-6) * gamma + beta
# ```
#
# </details>

# %% [markdown]
# ## 2. logit
#
# 識別ヘッドは D × K の1つの線形層です。クラスごとに1つの列があり、𝒚とその列の積にバイアスを足したものが、そのクラスの **logit** です（スライド27ではMLPですが、論文でMLPを使うのは事前学習のときだけです）。
#
# **やってみよう。** 全クラスのlogitを求めてください。`trace.y[0]` が𝒚です。

# %%
W = trace.arrays.head_weight
bias = trace.arrays.head_bias
print("W", W.shape, " bias", bias.shape)

# %% tags=["answer"]
logits = ...
check("classification.logits", logits)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# logits = trace.y[0] @ W + bias
# ```
#
# </details>

# %% [markdown]
# ## 3. 確率
#
# **やってみよう。** レッスン4と同じように、logitのsoftmaxを求めてください（logitは `trace.logits` にあります）。

# %% tags=["answer"]
probs = ...
check("classification.probs", probs)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
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
# ## 4. 見て確かめる
#
# 下でクラスを選ぶと、そのlogitの計算が表示されます。モデルが知っているクラスの一覧も見てみましょう。それ以外のものも、モデルはこのどれかの名前で呼ぶしかありません。

# %%
stage("classification")

# %% [markdown]
# ## 5. 新しいヘッド
#
# 6枚の画像から、2つのクラスを自分で作ります。生きているもの（猫、金魚、アライグマ、ヘラジカ）と、そうでないもの（エスプレッソ、ロケット）です。Encoderはそのままで、必要なのはベクトル𝒚だけです。

# %%
photos = ["chelsea", "goldfish", "raccoon", "moose", "coffee", "rocket"]
X = np.stack([rerun(sample=photo).y[0] for photo in photos])  # 1枚の画像が1行
Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]])  # 正解：生きている、いない
print("X", X.shape, " Y", Y.shape)

# %% [markdown]
# スライド27では、新しい層を **0** で初期化します。
#
# **やってみよう。** 新しい行列が0（`W` はそのまま残します）で、バイアスもまだ0のとき、ヘッドが6枚の画像に与える確率Pはどうなるでしょうか。形は (6, 2) です。

# %% tags=["answer"]
P = ...
check("classification.start", P)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# new_logits = X @ np.zeros((192, 2))
# exponentials = np.exp(new_logits)
# P = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# 学習では、交差エントロピー（正解のクラスの確率pについての −log p）を小さくする方向に、新しい行列を動かします。n枚の画像について、その行列に関する勾配は簡単な式 𝑿ᵀ(𝑷 − 𝒀)/n になります。
#
# **やってみよう。** 最初の勾配を求めてください。形は (D, 2) です。

# %% tags=["answer"]
slope = ...
check("classification.gradient", slope)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# start = np.full((6, 2), 0.5)
# slope = X.T @ (start - Y) / 6
# ```
#
# </details>

# %% [markdown]
# では、学習の全体を実行します。勾配に沿って、行列とバイアスを少しずつ50回動かします（ステップ0では確率がすべて等しく、`argmax` は最初のクラスを選びます）。

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
# 6枚の画像は覚えました。ほかの画像も見分けられるかどうかは、6枚ではわかりません。ページの実験「新しいヘッド」（`stage("experiments")`）を、自分の画像で試してみてください。1枚ずつ除いて学習させ、その画像について確かめてくれます。

# %% [markdown]
# ## 練習問題
#
# **問1.** この新しいヘッドでは、バイアスも含めて何個の数を学習させたでしょうか。

# %% tags=["answer"]
parameters = ...
check("classification.parameters", parameters)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# parameters = W_new.size + b_new.size
# ```
#
# </details>

# %% [markdown]
# **問2.** エスプレッソと、モデル自身の識別ヘッドに戻ります。1位のクラスのlogitは、𝒚とWの列の、D個の次元についての積の和です。そのD個の項を求めてください。それぞれの次元は、どれだけ寄与しているでしょうか。

# %% tags=["answer"]
terms = ...
check("classification.terms", terms)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# top = int(trace.logits.argmax())
# terms = trace.y[0] * W[:, top]
# terms.argmax()  # 最も大きく寄与する次元
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - 識別に使うのはCLSだけです：Layer normalization、1つの行列、softmax。
# - ファインチューニングでは、識別ヘッドを取り外し、0で初期化した新しいヘッドを付けます。だから、最初はどのクラスの確率も等しくなります。
# - 画像の画素からこの行まで、Vision Transformerのすべての計算を自分の手でたどりました。
#
# [レッスン1](1-patches.ipynb)に戻るか、[ViT Explorer全体](../../explorer.ipynb)を開いて、自分の画像で試してみましょう。
