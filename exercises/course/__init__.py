"""What judges the exercises: promises, the smallest history that breaks one, and how that is told."""
