"""What a command or a data set asks for: drawn faces, preparation, the study."""
