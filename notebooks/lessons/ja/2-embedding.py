# %% [markdown]
# # レッスン2：Embedding
#
# *スライド7、9 · 約15分 · [English](../en/2-embedding.ipynb)*
#
# レッスン1で、画像はベクトル𝒙ₚの並びになりました。その中身は色であり、まだネットワークが扱いやすい形ではありません。そこで、どのベクトルにも、学習により得た1つの行列𝑬をかけます。こうして得られる、パッチごとにD個の数を **embedding** と呼びます。

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("embedding", language="ja")
trace

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("embedding.parameters")

# %% [markdown]
# ## 1. パッチと行列とバイアス
#
# スライド9には、P²C個の数のベクトル、P²C行D列の行列、そして結果のD個の数のベクトルが描かれています。多くのモデルでは、スライドで省かれているバイアス𝒃も足します。
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
# このモデルではP²CもDも192ですが、これは偶然です。8 · 8 · 3 が、選ばれたembedding sizeとたまたま等しいのです。そのため、軸を取り違えてもNumPyは何も言いません。気をつけてください（取り違えると、確認のときに指摘されます）。

# %% [markdown]
# ## 2. 1つの数を計算する
#
# 行列の積は、たくさんの「積の和」からできています。そのうちの1つ、パッチ21のembeddingの次元5を計算してみましょう。パッチのベクトルと𝑬の**列**5を要素どうしでかけ、すべて足し、その次元のバイアスを加えます。
#
# **やってみよう。**

# %% tags=["answer"]
number = ...
check("embedding.number", number)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# number = (x[21] * E[:, 5]).sum() + b[5]
# ```
#
# </details>

# %% [markdown]
# ## 3. 1つのパッチの全次元
#
# **やってみよう。** パッチ21のembedding全体（D個の数のベクトル）を求めてください。`@` はNumPyの行列の積です。

# %% tags=["answer"]
one = ...
check("embedding.one", one)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# one = x[21] @ E + b
# ```
#
# </details>

# %% [markdown]
# ## 4. すべてのパッチ
#
# どのパッチにも同じ𝑬をかけます。だから、1回の積で全部まとめて計算できます。
#
# **やってみよう。** すべてのパッチのembeddingを求めてください。形は (N, D) です。

# %% tags=["answer"]
embedded = ...
check("embedding.all", embedded)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# embedded = x @ E + b
# ```
#
# </details>

# %% [markdown]
# ## 5. 𝑬の列が探しているもの
#
# 𝑬の1つの列には、パッチの画素値と同じ個数の数があります。つまり、小さな画像（**フィルタ**）として描けます。フィルタに似たパッチほど、その次元の値が大きくなります。同じ計算は、ストライドPの畳み込みとしても書けます。

# %%
filter_5 = E[:, 5].reshape(8, 8, 3)
print(filter_5.shape, "min", filter_5.min().round(3), "max", filter_5.max().round(3))

# %% [markdown]
# 下のステージには、スライド9の3つの行列、選んだ数のもとになる和、そしてフィルタが表示されます。パッチ21と次元5を選んで、自分で求めた数と比べてみましょう。

# %%
stage("embedding", token=22, dimension=5)  # トークン22がパッチ21（トークン0はCLS）

# %% [markdown]
# ## 練習問題
#
# **問1.** すべての画素がちょうど平均の色のパッチは、正規化すると全部0になります。そのembeddingはどうなるでしょうか（かけ算は必要ありません）。

# %% tags=["answer"]
blank = ...
check("embedding.blank", blank)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# blank = np.zeros(192) @ E + b
# blank = b  # 同じ結果：0に何をかけても0
# ```
#
# </details>

# %% [markdown]
# **問2.** パッチが 16 × 16 画素のとき、𝑬の形はどうなるでしょうか。Dは変わりません。

# %% tags=["answer"]
shape_16 = ...
check("embedding.sixteen", shape_16)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# shape_16 = (16 * 16 * 3, 192)
# shape_16 = rerun(patch_size=16).arrays.embed_weight.shape  # モデルの答えも同じ
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - どのパッチも、D個の数のembeddingになります：𝒙ₚ𝑬 + 𝒃。𝑬と𝒃はすべてのパッチに共通です。
# - 𝑬はネットワークの重みで、学習により得られます。その列はフィルタです。
# - スライド7では𝒙ₚ𝑬がP²C次元とされていますが、正しくは、スライド9の図のとおりD次元です。
#
# **次へ：** [レッスン3：CLSと位置](3-position.ipynb)
