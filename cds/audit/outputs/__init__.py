"""What an audit hands over: files computed from the datasets of its evaluation, never from memory."""
