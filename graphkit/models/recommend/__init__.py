"""Models of `task=recommend`: users and items, each model behind the interface of `base.Recommender`."""
