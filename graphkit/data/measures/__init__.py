"""What can be measured on a data set before anything is trained."""
