"""`dojo watch`: from a save to a verdict, without a command in between.

`saved` notices a save, `session` decides what follows, `scene` is what there is to show, `screen` lays it out,
`terminal` has the keys and the window, and `loop` connects them.
"""
