"""What is drawn of each kata: one module a kata, of the kata's name, with its `SCENES` in the order of the charts.

A scene is called with a fresh world's `lab` and the implementation's module as a new process would hold it, drives
that as the kata's tests do, and returns charts. Everything is in virtual time and drawn from fixed seeds.
"""
