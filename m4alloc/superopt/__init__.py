"""m4alloc.superopt: rewrites code into something cheaper, and proves every rewrite before it is used.

What is rewritten
    ir                                         functions of a subset of LLVM IR, as data
    parse, parse_lines, parse_tokens, parse_types   LLVM's text in
    printer, toolchain, source                 LLVM's text out; LLVM itself, by llvmlite; .ll, .bc, .c, .pyx read
    slices, slices_piece, slices_facts, slices_back   loop-free pieces cut out, what is known there, pieces put back
    facts, problem, rule, verdict              what is assumed, searched for, applied and answered: shared by all below
The proof: may one function stand in for another
    equivalence, needed                        the checker; which of the facts a proof needs
    smt_values, smt_integers, smt_intrinsics, smt_instructions   values and operations as terms of z3
    smt_memory, smt_layout, smt_attributes, smt_inputs   memory, data layout, attributes, arguments as terms
    smt_address                                getelementptr and its flags as terms
    smt_function, smt_refinement               a function as one term; refinement as one condition
    smt_solve, smt_hard, smt_exhaust, smt_clock   queries, hard products, trying all inputs, one budget of time
    smt_counterexample, fact_terms             models read as inputs; facts as terms
Oracles, which share no code with the proof
    interpret, interpret_run, interpret_values, interpret_ops   every outcome of a function, one input after another
    interpret_memory, interpret_attributes, interpret_facts   its memory; attributes and facts over numbers
    interpret_narrow                           the same function at a few bits
    native, native_worker                      machine code on every input, in a child process
    vectors, vectors_inputs, vectors_ops, vectors_shapes, vectors_words   many inputs at once, by numpy
    generate, generate_mutants                 random functions; random changes of one
Rules
    terms, terms_expressions                   the language of patterns; the arithmetic on their constants
    match, known, known_extent, known_needs    where a rule applies; what is known of values there
    rules, rules_kinds                         the library, and how its lines are written
    rules_identity, rules_reassociate, rules_strength, rules_bits   of arithmetic, of bits
    rules_masks, rules_smear                   of masks, of bits smeared to the right
    rules_compare, rules_select, rules_cast, rules_minmax, rules_overflow   of comparisons, choices, casts, limits
    rules_unsound                              tempting rules, each of which is refuted
    terms_pairs, prove_rules                   a rule as two functions; the proofs of all, kept in rules_proofs.json
    simplify, simplify_fold, simplify_cfg      the fixed point that every search ends with
    simplify_structural, simplify_branches, simplify_memory, simplify_motion   rewrites that are no terms, as rules
What is cheaper
    cost, cost_latency, cost_mca               instructions; latency by a table of cycles; llvm-mca, where there is one
    measure, measure_loops, measure_code       time of two functions side by side; the loops; the same machine code
The searches
    judge, judge_inputs, judge_proof           the only door from a proposal to a proved candidate
    pipeline, pipeline_seeds, pipeline_rules, pipeline_process   the default searches on one function, in two processes
    enumerate, enumerate_search, enumerate_scan   every program from the smallest up; met in the middle; pairs of terms
    enumerate_window, enumerate_slices         inputs and constants that count; windows into larger functions
    enumerate_operations, enumerate_kernels, enumerate_bank   operations; compiled loops; terms kept once per value
    enumerate_goals, enumerate_sharing, enumerate_build   sub-goals; results used twice; terms as functions
    moves, random_search, mcts                 steps by rules; at random; by a tree search
    mutate, mcmc                               random changes; Metropolis-Hastings over programs
    saturate                                   equality saturation, by egglog
    explain                                    each step of a rewrite, checked alone
Idioms: closed forms of loops, of size classes, of sums of products
    idioms, idioms_search, idioms_prove        found and proved; as one of the searches; which proof
    idioms_bits, idioms_classes, idioms_memory, idioms_dot   over bits, size classes, neighbouring bytes, dot products
    idioms_sample, idioms_induction, idioms_unroll   sorted out by samples; proved by induction; written out
    idioms_sums, idioms_tables, idioms_lanes, idioms_x86   sums as tables of byte pairs; lane by lane; x86 operations
    idioms_constants, idioms_text              constant tables; functions written as text
Learning
    environment, features                      rewriting as a gymnasium environment; what an agent is told
    agent, agent_update, agent_search          the built-in learner; its PPO; the search it makes, from policy.npz
    training, learn_sb3, comparison            training; stable-baselines3 instead; searches at equal budget
What `m4alloc superopt` does
    run, run_function, run_module, run_surroundings   a file; one function; many; what two files must have in common
    run_cheri, run_progress                    capability code; progress
    campaign, campaign_state                   many functions on processes or a cluster, ended and resumed
    report, report_cheri, report_json, text, page, files   what was found; as JSON, as text, as a page, as files
Where it was used
    core, core_pieces                          the allocator's invariants as facts; its hot path, before and after
    cheri                                      capability code: a package with a map of its own
"""
