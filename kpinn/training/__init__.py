"""How a PINN trains: the loops of fit, and the callbacks that change points and weights."""
