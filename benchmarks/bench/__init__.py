"""What benchmarks/compare is made of: work (both ends), proxies, rows (what is measured), report (what is printed)."""
