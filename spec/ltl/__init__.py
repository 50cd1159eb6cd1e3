"""Pure temporal logic: formulas, words, automata, monitors, decisions. It knows nothing of heaps."""
