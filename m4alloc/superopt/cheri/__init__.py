"""Capability code, rewritten only by rules that keep its traps and never widen its authority.

The language
    term, notation                        terms, and how they read: `set(set(c, n), n)`
    model, observe                        what a term does by `capability.cheri`; what a rewrite of it must keep
    rules, killed, findings               S1 to S25 with their conditions; U1 to U26; where the checker says otherwise
Three ways to check
    states, trial                         thousands of inputs at the edges where rewrites break
    layout, words, encoding, codecs       the formulas of an instruction set, full or scaled down
    symbol, symbolic, symbolic_operations   the same semantics as formulas, over integers, numpy or z3
    exhaustive                            every state of a scaled-down format
    smt, lemmas, prove, proofs            questions to z3 over the full encoding, and the proofs that came of them
    refute, equivalence                   counterexamples that have been run; is one term a refinement of another
Code
    intrinsics, program, reader, printer, mnemonics   LLVM's text in; LLVM's text and mnemonics out
    promises                              flags, attributes and metadata, which the language has no words for
    edits, rewrite, verify                the search for cheaper programs, step by proved step; two functions compared
"""
