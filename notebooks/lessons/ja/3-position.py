# %% [markdown]
# # レッスン3：CLSと位置
#
# *スライド10〜17 · 約25分 · [English](../en/3-position.ipynb)*
#
# embeddingは、パッチの見た目を表していますが、それがどこにあったかは表していません。また、画像全体を代表するものもありません。そこで、Encoderに入る前に2つのものを加えます。1つは **CLS** というトークン、もう1つは、各トークンに足される、場所を表すベクトル（**position embeddings**）です。

# %%
import numpy as np

from explorer.lessons import begin, check, predict, rerun, stage

trace = begin("position", language="ja")
trace

# %% [markdown]
# ## はじめに予想してみよう

# %%
predict("position.shuffle")

# %% [markdown]
# ## 1. CLSを先頭に置く
#
# CLSは画素から作られたものではありません。学習により得た、どの画像にも共通の1本のベクトルです（スライド10）。この画像についての情報は、ほかのトークンから集めることになります。

# %%
cls = trace.prefix_tokens
embedded = trace.patch_embeddings
print("CLS       ", cls.shape)
print("embeddings", embedded.shape)

# %% [markdown]
# **やってみよう。** embeddingsの先頭にCLSを置いてください。行は N + 1 本になります。まだ何も足しません。

# %% tags=["answer"]
tokens = ...
check("position.stack", tokens)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# tokens = np.concatenate([cls, embedded])
# ```
#
# </details>

# %% [markdown]
# ## 2. 位置を足す
#
# 𝑬ₚₒₛには、トークンごとに1行があります。それを足すだけで（スライド11）、和𝒛₀がTransformer Encoderの入力になります。

# %%
E_pos = trace.pos_embed
print("E_pos", E_pos.shape)
print("row of CLS: from", E_pos[0].min(), "to", E_pos[0].max())

# %% [markdown]
# このモデルでは、CLSの行はすべて0です。CLSは画像のどこにもないので、位置を必要としません（CLSの行も学習するモデルも多くあります）。
#
# **やってみよう。** 𝒛₀を求めてください。

# %% tags=["answer"]
z0 = ...
check("position.z0", z0)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# z0 = np.concatenate([cls, embedded]) + E_pos
# ```
#
# </details>

# %% [markdown]
# ## 3. 位置は本当に必要か
#
# モデルを4回動かしてみましょう。𝑬ₚₒₛがある場合とない場合のそれぞれで、パッチを順番どおりに入れた場合と、並べ替えた場合を比べます（スライド12）。

# %%
order = np.random.default_rng(0).permutation(trace.num_patches)


def largest_change(one, other):
    return float(np.abs(one.probs - other.probs).max())


print("with E_pos:   ", largest_change(trace, rerun(permutation=order)))
print("without E_pos:", largest_change(rerun(pos_embed=None), rerun(pos_embed=None, permutation=order)))

# %% [markdown]
# 𝑬ₚₒₛがなければ、残るのは丸め誤差だけです。attentionもMLPもどのトークンも同じように扱い、どれが先だったかを知りません。
#
# ## 4. 学習の代わりに波を使う
#
# 𝑬ₚₒₛは、学習しなくても作れます。スライド14では、パッチ番号 x = 0 … N − 1 と i = 0 … D/2 − 1 について、sinとcosで作ります。
#
# $$PE(x, 2i) = \sin\frac{x}{10000^{2i/D}} \qquad PE(x, 2i+1) = \cos\frac{x}{10000^{2i/D}}$$
#
# **やってみよう。** この表を作ってください。形は (N, D) で、偶数番目の列がsin、奇数番目の列がcosです。

# %% tags=["answer"]
waves = ...
check("position.waves", waves)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# N, D = embedded.shape
# x = np.arange(N)[:, None]
# i = np.arange(D // 2)
# angle = x / 10000 ** (2 * i / D)
# waves = np.empty((N, D))
# waves[:, 0::2] = np.sin(angle)
# waves[:, 1::2] = np.cos(angle)
# ```
#
# </details>

# %% [markdown]
# ## 5. 見て確かめる
#
# 下のステージでは、3つの表を見比べられます。このモデルが学習したもの、そしてスライド14と16の1次元と2次元の正弦波です。次元を動かすと、波長が長くなっていきます。位置を選ぶと、どの位置と似ているかがわかります。

# %%
stage("position", token=28)  # トークン28がパッチ27（トークン0はCLS）

# %% [markdown]
# ## 練習問題
#
# **問1.** パッチがどう並んでいるかは、誰もモデルに教えていません。モデルは自分で学習しました。𝑬ₚₒₛのパッチ27の行を、コサイン類似度でほかのすべての行と比べてください。**自分以外で**最も似ているのは、どのパッチでしょうか。それは画像のどこにありますか。

# %% tags=["answer"]
nearest = ...
check("position.nearest", nearest)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# rows = E_pos[1:]  # CLSを除く
# unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
# similarity = unit @ unit[27]
# similarity[27] = -1
# nearest = int(similarity.argmax())
# ```
#
# </details>

# %% [markdown]
# **問2.** スライド14では、10000^(2i/D) を2i列目の波長と呼んでいます。実際には、64列目のsinが元に戻るまでに、何パッチ進む必要があるでしょうか。

# %% tags=["answer"]
wavelength = ...
check("position.wavelength", wavelength)

# %% [markdown] tags=["solution"]
# <details><summary>解答例</summary>
#
# ```python
# D = trace.spec.dim
# wavelength = 2 * np.pi * 10000 ** (64 / D)
# ```
#
# </details>

# %% [markdown]
# ## まとめ
#
# - CLSは、embeddingsの先頭に置かれる、学習により得たベクトルです。トークンは T = N + 1 個になります。
# - 𝑬ₚₒₛを足します。なければ、ViTにとって画像は、パッチを入れた袋のようなものです。
# - 𝑬ₚₒₛは、学習しても、波で作ってもかまいません。どちらでも、隣どうしは似ています。
#
# **次へ：** [レッスン4：Layer normalizationとself-attention](4-attention.ipynb)
