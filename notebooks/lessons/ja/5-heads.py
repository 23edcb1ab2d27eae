# %% [markdown]
# # レッスン5：ヘッドとMSA
#
# *スライド20、22〜24 · 約20分 · [English](../en/5-heads.ipynb)*
#
# 1つのヘッドにできるのは、1種類の問いかけです。そこで、1つの層に複数のヘッドを置きます。各ヘッドは次元の一部を受け持ち、同時に計算して、最後に結果を1つにまとめます。これが **multi-head self-attention**（MSA）です。

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("heads", language="ja")
block = trace.blocks[3]  # レッスン4と同じ層4
T, D, h = trace.num_tokens, trace.spec.dim, trace.spec.heads
D_h = D // h
print("T =", T, " D =", D, " h =", h, " D_h =", D_h)

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("heads.parameters")

# %% [markdown]
# ## 1. ヘッドに分ける
#
# 全ヘッドのqueryは、1回の積で横に並んで求まります。形は (T, D) です。最初のDₕ列がヘッド0、次のDₕ列がヘッド1、と続きます。

# %%
qkv = block.norm1 @ block.arrays.qkv.weight + block.arrays.qkv.bias
queries = qkv[:, :D]
print("queries", queries.shape)

# %% [markdown]
# **やってみよう。** 最初の添字がヘッドを表すように、形を (h, T, Dₕ) にしてください。

# %% tags=["answer"]
q = ...
check("heads.split", q)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# q = queries.reshape(T, h, D_h).transpose(1, 0, 2)
# ```
#
# </details>

# %% [markdown]
# ## 2. すべてのヘッドを一度に
#
# **やってみよう。** 全ヘッドのattentionを求めてください。形は (h, T, T) です。`@` はヘッドごとに、最後の2つの軸について計算します。`block.q` と `block.k` の形は (h, T, Dₕ) です。

# %% tags=["answer"]
A = ...
check("heads.attention", A)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# scores = block.q @ block.k.transpose(0, 2, 1) / np.sqrt(D_h)
# exponentials = np.exp(scores)
# A = exponentials / exponentials.sum(axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# ## 3. ヘッドを結合する
#
# 各ヘッドは、どのトークンにもDₕ個の数を渡しました。それが `block.head_outputs` で、形は (h, T, Dₕ) です。スライド23と24では、これを [SA₁(𝒛), … , SAₕ(𝒛)] のように横に並べ、トークンごとに再びD個の数にします。
#
# **やってみよう。** 結合して、形を (T, D) にしてください。

# %% tags=["answer"]
joined = ...
check("heads.joined", joined)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# joined = block.head_outputs.transpose(1, 0, 2).reshape(T, D)
# ```
#
# </details>

# %% [markdown]
# ## 4. 𝑼ₘₛₐ
#
# ここまで、ヘッドどうしは互いに無関係でした。学習により得たもう1つの行列で、それらを混ぜ合わせます。

# %%
U = block.arrays.proj.weight
bias = block.arrays.proj.bias
joined_heads = block.head_outputs.transpose(1, 0, 2).reshape(T, D)
print("U_msa", U.shape, " bias", bias.shape)

# %% [markdown]
# **やってみよう。** MSA(LN(𝒛)) を求めてください。形は (T, D) です。

# %% tags=["answer"]
msa = ...
check("heads.msa", msa)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# msa = joined_heads @ U + bias
# ```
#
# </details>

# %% [markdown]
# ## 5. 見て確かめる
#
# 画像のパッチを指すと、すべてのヘッドがすぐに応えます。近くを見るヘッドと、遠くを見るヘッドを見つけられますか。層を変えて、もう一度見てみましょう。

# %%
stage("attention", layer=3, head=2)

# %% [markdown]
# ## 練習問題
#
# **問1.** 「結合して𝑼ₘₛₐをかける」計算は、和としても読めます。各ヘッドの出力に、𝑼ₘₛₐのうちそのヘッドに対応する行をかけ、結果を足し合わせるのです。ヘッド2だけがMSAに加える量を求めてください。形は (T, D) で、バイアスは含めません（結合したベクトルの中で、ヘッド2は添字64〜95（0から数える）を占めます）。

# %% tags=["answer"]
share = ...
check("heads.share", share)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# rows = slice(2 * D_h, 3 * D_h)
# share = block.head_outputs[2] @ U[rows]
# ```
#
# </details>

# %% [markdown]
# **問2.** 最後の層で、CLS自身への重みが最も大きいヘッドはどれでしょうか。ヘッドの番号を0から数えて答えてください。

# %% tags=["answer"]
own = ...
check("heads.self", own)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# own = int(trace.blocks[-1].attention[:, 0, 0].argmax())
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - h個のヘッドが、D個の次元を分け合います。1つのヘッドは Dₕ = D / h 次元です。ヘッドを増やしても、学習する数は増えません。
# - attentionの行列はヘッドごとにあり、結果を混ぜ合わせるのは𝑼ₘₛₐだけです。
# - 最後は和になるので、どのヘッドが何を加えたかを調べられます。
#
# **次へ：** [レッスン6：MLPと残差接続](6-mlp.ipynb)
