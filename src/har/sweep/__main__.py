"""``python -m har.sweep experiment=<name> hparams_search=<name>``: trains with many values of the
hyperparameters, and chooses by a validation metric."""

from har.cli import entry_point

main = entry_point("sweep", "har.sweep.run:sweep", name="sweep")

if __name__ == "__main__":
    main()
