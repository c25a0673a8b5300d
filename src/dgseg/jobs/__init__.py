"""Long work as folders that can be stopped, killed and resumed."""
