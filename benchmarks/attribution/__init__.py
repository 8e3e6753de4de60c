"""A simulated world of ad touches and installs whose truth is known: what attribution is measured against."""
