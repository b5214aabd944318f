"""What a PINN asks for: names, conditions and points become residuals. No Keras model here."""
