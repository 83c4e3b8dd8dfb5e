"""Derivatives and solvers put to the test, by first principles.

For gradients read differences, order, gradient_check, gradient_report, gradient_diagnosis, compare. For solvers read
solver_audit, then solver_problems, solver_trials, solver_order, solver_conformance, solver_diagnosis.
"""
