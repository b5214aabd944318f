"""Quasi-Newton methods: line searches and approximations of the inverse Hessian."""
