"""What bench/compare.py and bench/syscalls_test.py share. Standard library only."""
