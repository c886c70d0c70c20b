"""What every service is made of: fold, runner, checkpoint, settings, metrics."""
