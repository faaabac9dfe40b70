"""HAWK in PyTorch: the frozen frame encoder, the two branches, the language model, and what they are asked."""
