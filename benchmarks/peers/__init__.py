"""Other servers under the same load in the same run: what Touchline's figures are compared with."""
