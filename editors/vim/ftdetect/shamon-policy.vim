autocmd BufRead,BufNewFile *.policy setfiletype shamon-policy
