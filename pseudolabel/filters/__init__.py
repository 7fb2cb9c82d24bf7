"""Which predictions become silver labels.

Every filter says what it drops and why; the report's counts add up to what went in.
"""
