"""Explicit Runge-Kutta methods: one step, its length, the solution, and what can go wrong.

Read tableau, coefficients, order_conditions; then runge_kutta, step_size, solver, problem, odesolve; then dense_output
(observations inside steps), events, errors, members (of an ensemble), unrolled (the formulas with nothing made fast),
scipy_bridge.
"""
