"""Writers of real product formats: scenes in, files of a product out."""
