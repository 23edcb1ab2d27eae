"""Training of our own small ViTs, and their evaluation.

``vit-explorer train flexi DATA`` trains the bundled model, ``vit-explorer evaluate flexi DATA`` counts how often it is
right.

- ``settings`` and ``presets/``: what a run does, as plain values in one file a model
- ``data``: labelled pictures, packed or in folders, decoded once
- ``augment``: random crops, flips and colours of a whole batch
- ``flexible``: the forward pass at any patch size, differentiable in the native weights
- ``optimize``: timm's Muon or AdamW, and the rates
- ``trainer`` and ``checkpoint``: the loop, which can be killed at any moment and continued
- ``evaluation``, ``export``, ``card``: accuracy, the folder that timm loads, and its model card
- ``timm_parts``: everything of timm that is used here
- ``cli``: the two subcommands; imports torch only when one of them runs

To train where a machine is lent in short pieces, repeat the same command: it goes on where the checkpoint in the run's
folder left off, with the settings that it is given then.
"""
