# %% [markdown]
# # レッスン1：画像をパッチに分ける
#
# *スライド7、8 · 約20分 · [English](../en/1-patches.ipynb)*
#
# Vision Transformerは、画像を1画素ずつ読むのではありません。小さな正方形の**パッチ**に分け、その後は、パッチごとに1本ずつのベクトルを扱います。このレッスンでは、自分の手で画像をパッチに分け、モデルが実際に受け取った数と1つずつ比べます。
#
# 進め方：セルは **Shift + Enter** で実行します。`...` のあるセルでは、`...` を答えに書き換えてから実行してください。正解かどうか、違うときはどこが違うかが表示されます。行き詰まったら、各問の下にある解答例を開いてください。

# %%
import numpy as np
from PIL import Image

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("patches", language="ja")
trace

# %% [markdown]
# `trace` には、小さなViTで1枚の画像を処理したときのすべてが入っています。スライド7から27までの、どの配列も見られます。今日使うのは、その最初の部分だけです。
#
# ## はじめに予想してみよう
#
# まず予想を選んでから、先に進みましょう。このレッスンの終わりには、自分で計算できるようになります。

# %%
predict("patches.weights")

# %% [markdown]
# ## 1. 配列としての画像
#
# モデルが見るのは、画像から切り出した正方形です。これは (H, W, C)、つまり高さ、幅、チャネル（赤・緑・青）の3階テンソルです。パッチは P × P 画素です。

# %%
image = trace.image
P = trace.patch_size
print("image", image.shape, image.dtype, image.min(), image.max())
print("P =", P)
Image.fromarray(image).resize((256, 256))

# %% [markdown]
# **やってみよう。** パッチの数Nはいくつでしょうか。

# %% tags=["answer"]
num_patches = ...
check("patches.count", num_patches)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# H, W, C = image.shape
# num_patches = H * W // P**2
# ```
#
# </details>

# %% [markdown]
# では、1つのパッチをベクトルにすると、何個の数が並ぶでしょうか。

# %% tags=["answer"]
vector_length = ...
check("patches.length", vector_length)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# vector_length = P * P * 3
# ```
#
# </details>

# %% [markdown]
# ## 2. 画素値の正規化
#
# 画素値は0から255までの整数です。ニューラルネットワークは、0を中心とする数のほうが学習しやすいため、まず255で割り、次にチャネルごとの平均を引き、標準偏差で割ります。平均と標準偏差は、たくさんの画像からあらかじめ求められた、決まった値です。

# %%
mean = np.array(trace.spec.mean)
std = np.array(trace.spec.std)
print("mean", mean)
print("std ", std)

# %% [markdown]
# **やってみよう。** 画像全体を正規化してください。結果の形は `image` と同じです。

# %% tags=["answer"]
normalised = ...
check("patches.pixels", normalised)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# normalised = (image / 255 - mean) / std
# ```
#
# </details>

# %% [markdown]
# ここから先は、同じように正規化した `pixels` を使います。上の答えがまだでも、先に進めます。

# %%
pixels = (image / 255 - mean) / std

# %% [markdown]
# ## 3. 1つのパッチを切り出す
#
# パッチは、本を読むように左上から1行ずつ、0から数えます。最初の行が0〜7、次の行が8〜15です。したがってパッチ21は2行5列にあります（行と列も0から数えます）。
#
# **やってみよう。** パッチ21を切り出し、1本のベクトルにしてください。画素を1行ずつ、各画素を赤、緑、青の順に並べます。

# %% tags=["answer"]
vector = ...
check("patches.vector", vector)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# row, col = 21 // 8, 21 % 8
# square = pixels[row * P : (row + 1) * P, col * P : (col + 1) * P]
# vector = square.reshape(-1)
# ```
#
# </details>

# %% [markdown]
# ## 4. すべてのパッチを一度に
#
# 繰り返しは必要ありません。`reshape` を使うと、1本の軸を2本に分けられます。64行の画素は、8行のパッチ × パッチ内の8行の画素になります。`pixels.reshape(8, 8, 8, 8, 3)` の軸は、次のとおりです。
#
# | 軸 | 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | 意味 | パッチの行 | パッチ内の画素の行 | パッチの列 | パッチ内の画素の列 | チャネル |
#
# **やってみよう。** パッチの行と列の軸を前にまとめ、1パッチが1行になるように、形を (N, P²C) にしてください。これがスライド8の𝒙ₚです。

# %% tags=["answer"]
all_patches = ...
check("patches.all", all_patches)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# cut = pixels.reshape(8, P, 8, P, 3)
# all_patches = cut.transpose(0, 2, 1, 3, 4).reshape(64, P * P * 3)
# ```
#
# </details>

# %% [markdown]
# ## 5. 見て確かめる
#
# 下に表示されるのは、ViT Explorerのページのステージそのものです。画像のパッチをクリックするか、矢印キーで動いて、画素、3つのチャネル、ベクトルを見比べてみましょう。パッチ21はどこにありますか。

# %%
stage("patches")

# %% [markdown]
# ## 練習問題
#
# **問1.** パッチが 16 × 16 画素なら、𝒙ₚの形はどうなるでしょうか。まず考えてから、モデルにも聞いてみましょう。`rerun(patch_size=16)` で新しいトレースが得られます。

# %% tags=["answer"]
shape_16 = ...
check("patches.sixteen", shape_16)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# shape_16 = (64 * 64 // 16**2, 16 * 16 * 3)
# shape_16 = rerun(patch_size=16).patches.shape  # モデルの答えも同じ
# ```
#
# </details>

# %% [markdown]
# **問2.** 画像を分けても、情報は何も失われていません。`trace.patches` のパッチを並べ直して、もとの画像に戻してください。`pixels` と等しい (H, W, C) の配列になります。

# %% tags=["answer"]
picture = ...
check("patches.picture", picture)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# squares = trace.patches.reshape(8, 8, P, P, 3)
# picture = squares.transpose(0, 2, 1, 3, 4).reshape(64, 64, 3)
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - (H, W, C) の画像は、N = HW / P² 個のパッチになります。どのパッチも、P²C個の数のベクトルです。
# - ViTが読むのは、このベクトルの並びです。どのパッチが隣り合っていたかは、もう書かれていません。それを取り戻すのがレッスン3です。
# - attentionの計算量は、トークンの数で決まります。1つのヘッドに T × T 個の重みがあります。
#
# **次へ：** [レッスン2：Embedding](2-embedding.ipynb)
