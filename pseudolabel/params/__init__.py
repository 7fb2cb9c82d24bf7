"""params.yaml, validated: unknown keys are faults, and all faults are reported together.

No stage depends on this package: DVC tracks the values themselves, and no value is computed here.
"""
