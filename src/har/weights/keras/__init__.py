"""Weight files of the original program (Keras), read into the networks of this package."""
