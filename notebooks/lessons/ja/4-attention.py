# %% [markdown]
# # レッスン4：Layer normalizationとself-attention
#
# *スライド19〜23 · 約25分 · [English](../en/4-attention.ipynb)*
#
# ここから、トークンどうしがやり取りを始めます。どの層でも、各トークンは、自分も含めたすべてのトークンに問いかけ、その答えを混ぜ合わせて受け取ります。1つの層の1つのヘッドについて、入力から出力までをたどりましょう。5つの短い計算で、どれも1〜3行で書けます。

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("attention", language="ja")
block = trace.blocks[3]  # 層4（Pythonは0から数える）
head = 2
z = block.z_in
print("z", z.shape)

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("attention.root")

# %% [markdown]
# ## 1. Layer normalization
#
# トークンを1つずつ正規化します。D個の数から平均を引き、標準偏差で割ります。次に、次元ごとに、学習により得たγをかけ、βを足します（スライド21）。
#
# $$\mathrm{LN}(x) = \gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta$$
#
# スライドで省かれているεは、根号の中が0にならないようにする小さな数で、ここでは10⁻⁶です。
#
# **やってみよう。** `z` のすべてのトークンを正規化してください。

# %%
gamma = block.arrays.norm1.weight
beta = block.arrays.norm1.bias
print("gamma", gamma.shape, " beta", beta.shape)

# %% tags=["answer"]
norm = ...
check("attention.norm", norm)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# mean = z.mean(axis=-1, keepdims=True)
# variance = z.var(axis=-1, keepdims=True)
# norm = (z - mean) / np.sqrt(variance + 1e-6) * gamma + beta
# ```
#
# </details>

# %% [markdown]
# ## 2. query、key、value
#
# 3D列の1つの行列𝑼から、トークンごとに3種類のベクトルが得られます（スライド22）。何を探すか（**query**）、何で見つけてもらうか（**key**）、何を渡すか（**value**）です。列は、まず全ヘッドのquery、次に全key、最後に全valueの順に並び、1つのヘッドにはそれぞれ Dₕ = D / h 列ずつあります。

# %%
U = block.arrays.qkv.weight
bias = block.arrays.qkv.bias
h = trace.spec.heads
D = trace.spec.dim
D_h = D // h
normed = block.norm1  # モデル自身の LN(z)
print("U", U.shape, " h =", h, " D_h =", D_h)

# %% [markdown]
# **やってみよう。** ヘッド2（0から数える）の、全トークンのqueryを求めてください。形は (T, Dₕ) です。

# %% tags=["answer"]
query = ...
check("attention.query", query)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# qkv = normed @ U + bias
# query = qkv[:, 2 * D_h : 3 * D_h]
# ```
#
# </details>

# %% [markdown]
# ## 3. スコア
#
# すべてのqueryを、すべてのkeyと比べます。内積が大きいほど、よく合っています。Dₕ個の積の和は、項の数が多いほどばらつきが大きくなるので、√Dₕで割ります（スライド23）。
#
# **やってみよう。** このヘッドのスコア𝒒𝒌ᵀ/√Dₕを求めてください。形は (T, T) で、行が見る側（query）、列が見られる側（key）です。

# %%
q, k, v = block.q[head], block.k[head], block.v[head]
print(q.shape, k.shape, v.shape)

# %% tags=["answer"]
scores = ...
check("attention.scores", scores)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# scores = q @ k.T / np.sqrt(D_h)
# ```
#
# </details>

# %% [markdown]
# ## 4. softmax
#
# スコアを割合に変えます。指数関数に通し、行ごとに、その行の和で割ります。重みはどれも正で、各行の和は1になります。
#
# **やってみよう。** このヘッドのattentionの行列𝑨を求めてください（スコアは `block.scores[head]` にもあります）。

# %% tags=["answer"]
A = ...
check("attention.weights", A)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# exponentials = np.exp(block.scores[head])
# A = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# ## 5. valueを混ぜ合わせる
#
# **やってみよう。** 各トークンが受け取るもの、SA(𝒛) = 𝑨𝒗 を求めてください。形は (T, Dₕ) です（`block.attention[head]` が𝑨です）。

# %% tags=["answer"]
output = ...
check("attention.output", output)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# output = block.attention[head] @ v
# ```
#
# </details>

# %% [markdown]
# ## 6. 見て確かめる
#
# 下のステージでは、同じ層の同じヘッドの計算を、1段階ずつ見られます。（ステージでは層もヘッドも1から数えるので、層4、ヘッド3と表示されます。）画像で別のトークンを選び、段階を順に進めてみましょう。数をクリックすると、その計算が表示されます。

# %%
stage("encoder", layer=3, head=2, token=0)

# %% [markdown]
# ## 練習問題
#
# **問1.** このヘッドで、CLS（トークン0）が最も強く見ているのは、どのトークンでしょうか。トークンの番号を答えてください。

# %% tags=["answer"]
strongest = ...
check("attention.strongest", strongest)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# strongest = int(block.attention[head][0].argmax())
# ```
#
# </details>

# %% [markdown]
# **問2.** CLSのattentionは、何個分のトークンに広がっているでしょうか。エントロピーの指数 exp(−Σ p log p) は、そのよい目安です。1つのトークンが独り占めしていれば1、すべて等しければTになります。0行目について計算してください。

# %% tags=["answer"]
spread = ...
check("attention.spread", spread)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# p = block.attention[head][0]
# spread = np.exp(-(p * np.log(p)).sum())
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - Layer normalizationは、トークンごとに、D個の数について行います。
# - 𝑨 = softmax(𝒒𝒌ᵀ/√Dₕ) の各行は、誰が誰をどれだけ見るかを表します。
# - 𝑨𝒗でvalueを混ぜ合わせます。ほかのトークンについての情報は、すべてここを通ります。
#
# **次へ：** [レッスン5：ヘッドとMSA](5-heads.ipynb)
