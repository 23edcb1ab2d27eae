"""ViT Explorer: every array of a Vision Transformer, to see and to touch."""
