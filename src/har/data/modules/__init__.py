"""LightningDataModules: which samples train, validate and test, and in what batches."""
