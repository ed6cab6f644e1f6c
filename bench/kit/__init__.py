"""Parts that every benchmark is put together from: servers, their accounts, the load generator,
statistics and tables. Only Python's standard library."""
