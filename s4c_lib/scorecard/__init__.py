"""The scorecard: products of a synthetic season in force, put beside the truth that the season was made from."""
