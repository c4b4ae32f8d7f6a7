"""Leeds Sports Pose and its extended training set: photographs of one person each."""
