# %% [markdown]
# # レッスン6：MLPと残差接続
#
# *スライド19、25 · 約20分 · [English](../en/6-mlp.ipynb)*
#
# attentionで、どのトークンもほかのトークンから情報を受け取りました。次は、1つずつ考える番です。隠れ層が1つの小さなネットワーク、**MLP** を使います。attentionもMLPも、トークンを置き換えるのではありません。その出力は、トークンに足されます。層の後半を、最後までたどりましょう。

# %%
from math import erf as erf_of_one

import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

erf = np.vectorize(erf_of_one)  # 配列にも使えるようにする
trace = begin("mlp", language="ja")
block = trace.blocks[1]  # 層2（Pythonは0から数える）
z = block.z_in
print("z", z.shape)

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("mlp.mixing")

# %% [markdown]
# ## 1. 1つ目の残差接続
#
# スライド19のとおり、MSAの出力を層の入力に足します：𝒛′ = MSA(LN(𝒛)) + 𝒛
#
# **やってみよう。** `block.msa` が MSA(LN(𝒛)) です。𝒛′を求めてください。

# %% tags=["answer"]
z_mid = ...
check("mlp.middle", z_mid)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# z_mid = z + block.msa
# ```
#
# </details>

# %% [markdown]
# ## 2. 隠れ層へ
#
# 𝒛′をもう一度、専用のγとβで正規化します。それが `block.norm2` です。次に、行列をかけて、DからDの4倍に広げます。

# %%
norm2 = block.norm2
W1, b1 = block.arrays.mlp.fc1.weight, block.arrays.mlp.fc1.bias
W2, b2 = block.arrays.mlp.fc2.weight, block.arrays.mlp.fc2.bias
print("W1", W1.shape, " W2", W2.shape)

# %% [markdown]
# **やってみよう。** 活性化関数に通す前の隠れ層を求めてください。

# %% tags=["answer"]
before = ...
check("mlp.before", before)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# before = norm2 @ W1 + b1
# ```
#
# </details>

# %% [markdown]
# ## 3. GELU
#
# 行列を2回かけるだけでは、1つの行列と同じです。そこで、その間で、数を1つずつ曲線に通します（スライド25）。
#
# $$\mathrm{GELU}(x) = x\,\Phi(x) = \frac{x}{2}\left(1 + \mathrm{erf}\frac{x}{\sqrt{2}}\right)$$
#
# 大きな数はほぼそのまま通り、負の数はほとんど消えます。
#
# **やってみよう。** `block.mlp_pre` が、GELUに通す前の数です。GELUを計算してください。`erf` は配列にも使えます。

# %% tags=["answer"]
hidden = ...
check("mlp.hidden", hidden)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# x = block.mlp_pre
# hidden = x / 2 * (1 + erf(x / np.sqrt(2)))
# ```
#
# </details>

# %% [markdown]
# ## 4. D次元に戻して、もう一度足す
#
# 2つ目の行列でD個の数に戻し、𝒛′に足します：𝒛ₗ = MLP(LN(𝒛′)) + 𝒛′（スライド25の図では式の両辺に𝒛′がありますが、MSAの出力を足す相手は、スライド19のとおり𝒛ₗ₋₁です）。
#
# **やってみよう。** 層の出力を求めてください。`block.mlp_hidden` がGELUを通った後の隠れ層、`block.z_mid` が𝒛′です。

# %% tags=["answer"]
z_out = ...
check("mlp.output", z_out)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# mlp = block.mlp_hidden @ W2 + b2
# z_out = block.z_mid + mlp
# ```
#
# </details>

# %% [markdown]
# 層の計算はこれですべてです。次の層も、別の重みで同じことをします。

# %%
print("layers:", len(trace.blocks))
print("output of this layer is input of the next:", np.array_equal(block.z_out, trace.blocks[2].z_in))

# %% [markdown]
# ## 5. 見て確かめる
#
# 下のステージで、層の最後のほうの段階を開いてみましょう。2回目のLayer normalization、GELUの曲線とMLP、2回目の和です。いちばん下のグラフは、各層でattentionとMLPが足すベクトルの長さを表します。

# %%
stage("encoder", layer=1, token=0)

# %% [markdown]
# ## 練習問題
#
# **問1.** 1つの層のMLPには、学習により得た数がバイアスも含めて何個あるでしょうか。

# %% tags=["answer"]
parameters = ...
check("mlp.parameters", parameters)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# parameters = W1.size + b1.size + W2.size + b2.size
# ```
#
# </details>

# %% [markdown]
# **問2.** MLPがCLSに最も多くを書き足すのは、どの層でしょうか。各層でMLPがCLSに足すベクトルの長さを、`trace.blocks` の順にL個求めてください。

# %% tags=["answer"]
lengths = ...
check("mlp.lengths", lengths)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# lengths = np.array([np.linalg.norm(each.mlp[0]) for each in trace.blocks])
# lengths.argmax()  # 層の番号（0から数える）
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - 1つの層は、2回の足し算です：𝒛′ = 𝒛 + MSA(LN(𝒛))、次に 𝒛′ + MLP(LN(𝒛′))。
# - attentionはトークンどうしを混ぜ、MLPはトークンを1つずつ処理します。
# - どれも足していくだけなので、トークンは、各層が書き足していく流れのように、ネットワークを通り抜けます。
#
# **次へ：** [レッスン7：識別とファインチューニング](7-classification.ipynb)
