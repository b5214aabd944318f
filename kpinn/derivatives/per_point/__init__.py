"""Gradients of each point by one backward pass, where points are proved independent."""
