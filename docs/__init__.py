"""The pages, and what builds them: Python here is used by `make docs` and by tests, and is no part of the packages."""
