"""How compiled kernels are written and run: work shared out among threads, LLVM vectors, sums of rows."""
