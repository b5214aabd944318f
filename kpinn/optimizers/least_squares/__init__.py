"""Methods of Gauss-Newton type, and the damped linear systems that they solve."""
