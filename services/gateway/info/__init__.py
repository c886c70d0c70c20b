"""Info: the answers to questions, in the venue's words"""
