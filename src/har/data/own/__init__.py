"""Own actions: a folder of clips per class, in the form that NTU RGB+D is prepared in."""
