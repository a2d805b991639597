"""The browse tool: fetches a page of the public web and gives its text, window by window.

A policy writes the URLs, and so do the pages it reads: every URL is hostile. What a URL may lead to is decided in
`addresses`, every connection goes to an address that was checked there (`fetch`), and what comes back is read in a
process that may be killed (`reader`).
"""
