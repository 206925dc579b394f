"""The features. Each folder is a plugin; adding or deleting one is the whole change."""
